from tests.support.estate_fixtures import all_tenants_serve, change_id, estate, state

__all__ = ["all_tenants_serve", "change_id", "estate", "state"]
