"""Tasks in child processes of this machine: killed whole, reaped, and never longer alive than their lease."""

from jobdeck.executors.processes.pool import ProcessExecutor

__all__ = ["ProcessExecutor"]
