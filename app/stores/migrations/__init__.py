"""The steps from one schema to the next, one file each; `app.stores.upgrade` takes them in order.

A step is given `op` rather than importing Alembic's, which is one for the whole process: stores open side by side.
"""
