"""What is true of jobs. Pure: no I/O, no clock, no asyncio; time is a parameter, in microseconds since 1970 UTC."""
