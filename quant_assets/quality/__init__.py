"""The data-quality sentinel: which stored bars are withheld from everything after."""
