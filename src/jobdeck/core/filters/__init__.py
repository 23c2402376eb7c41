"""The filters of lists of jobs: each is defined once, for requests, SQL, columns, client, command line and pages."""
