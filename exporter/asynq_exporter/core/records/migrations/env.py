"""Alembic runs this: the steps go over the connection, and inside the transaction, of `Database.upgrade`."""

from alembic import context

from asynq_exporter.core.records.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True
)
context.run_migrations()
