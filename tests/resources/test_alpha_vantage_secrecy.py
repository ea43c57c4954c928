"""The key never leaves in a text."""

from urllib.parse import quote, quote_plus

from hypothesis import given
from hypothesis import strategies as st

from resources.alpha_vantage.secrecy import MASK, fingerprint, redact
from tests.support.vendor_notices import KEY, NOTICE_BODIES


def test_the_daily_limit_text_loses_the_key_it_repeats():
    """The vendor prints the key in clear text; the rest of the sentence stays."""
    text = redact(NOTICE_BODIES["daily quota"][0].decode(), KEY)
    assert KEY not in text
    assert f"detected your API key as {MASK}" in text
    assert "25 requests per day" in text


def test_a_url_loses_its_key_and_its_user():
    """The key goes in the query string, in any spelling, and user information goes as well."""
    url = f"https://me:secret@example.com/query?function=SPLITS&apikey={KEY.lower()}&symbol=IBM"
    assert redact(url, KEY) == f"https://example.com/query?function=SPLITS&apikey={MASK}&symbol=IBM"


def test_a_key_is_masked_by_its_surroundings_even_where_it_is_not_known():
    """A text may hold an older key than the one in use."""
    assert redact("GET /query?apikey=OLD7KEY&x=1", "") == f"GET /query?apikey={MASK}&x=1"
    assert redact("Your API key as OLD7KEY and more", "") == f"Your API key as {MASK} and more"


def test_a_short_made_up_key_does_not_eat_words():
    """With the key x, words with an x in them stay readable."""
    assert redact("expected next: x, apikey=x", "x") == f"expected next: {MASK}, apikey={MASK}"


@given(st.text(min_size=6, max_size=30), st.text(max_size=20), st.text(max_size=20))
def test_no_spelling_of_a_key_survives(key, before, after):
    """The key itself and its URL-quoted forms are masked wherever they stand."""
    for spelling in {key, quote(key, safe=""), quote_plus(key)}:
        assert spelling not in redact(f"{before}{spelling}{after}", key).replace(MASK, "")


def test_a_fingerprint_names_a_key_without_showing_it():
    """Equal keys have equal names, other keys other names, and the key is not in it."""
    assert fingerprint(KEY) == fingerprint(KEY)
    assert fingerprint(KEY) != fingerprint(KEY.lower())
    assert KEY.lower() not in fingerprint(KEY)
    assert len(fingerprint(KEY)) == 32
