"""The other two migrations: films and personas, put behind the service while it runs, and judged like the main job."""
