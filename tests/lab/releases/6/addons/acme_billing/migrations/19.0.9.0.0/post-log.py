"""Leaves a row each time it runs and commits, so that whoever counts them knows how often a tenant was migrated."""


def migrate(cr, version):
    cr.execute("CREATE TABLE IF NOT EXISTS acme_update_log (id serial PRIMARY KEY, came_from varchar, at timestamp DEFAULT now())")
    cr.execute("INSERT INTO acme_update_log (came_from) VALUES (%s)", (version,))
