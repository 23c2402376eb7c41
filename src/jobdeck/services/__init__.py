"""The use cases, one file per resource: check the permission, do it, write down that it was done."""
