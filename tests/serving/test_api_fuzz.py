"""Every route fed with what the OpenAPI document allows, and with what it does not."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from tests.serving.test_api_routes import EVERY_ROUTE

schemathesis.checks.load_all_checks()
# Valid by the schema but refused: a range whose ends are swapped, a feature or a name that does not exist.
UNUSED = {"positive_data_acceptance"}
WITHOUT_PARAMETERS = {"/api/v1/health", "/api/v1/market-data/regime"}
CHOSEN = [check for check in CHECKS.get_all() if getattr(check, "__name__", "") not in UNUSED]


@pytest.fixture(scope="module")
def schema(server):
    return schemathesis.openapi.from_url(f"{server}/openapi.json")


@pytest.mark.parametrize(
    ("route", "mode"),
    [
        *((route, GenerationMode.POSITIVE) for route in EVERY_ROUTE),
        *((route, GenerationMode.NEGATIVE) for route in EVERY_ROUTE if route not in WITHOUT_PARAMETERS),
    ],
)
def test_generated_requests_find_no_fault(schema, server, route, mode):
    """No generated request gets a 5xx, an undocumented status, or a body that its schema does not accept."""
    operation = schema[route]["GET"]

    @settings(
        max_examples=12,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def hold(case):
        response = case.call(base_url=server)
        # Too long a URL is refused before its parameters are looked at, which the checks do not know of.
        if response.status_code != 414:
            case.validate_response(response, checks=CHOSEN)

    hold()
