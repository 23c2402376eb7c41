"""The methods by which a job type says of its jobs what they are: whose code they are, and what they answer."""
