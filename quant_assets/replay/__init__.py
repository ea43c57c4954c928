"""A local server that speaks the price vendor's protocol over packaged or synthetic history."""
