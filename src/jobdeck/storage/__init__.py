"""The only place that speaks to object storage: options, stores, blobs, folders; and whom connections may reach."""
