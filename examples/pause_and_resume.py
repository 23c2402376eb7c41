"""Pause a running job, see that it holds nothing, and let it go on. Needs a server: `jobdeck up`."""

from jobdeck import Client

with Client() as client:
    job = client.jobs.submit("sleep", {"seconds": 0.5, "tasks": 4})
    client.jobs.pause(job.id, "to look around")
    paused = client.jobs.wait(job.id)  # ends when nothing more happens by itself
    print(f"Job {job.id} is {paused.state}. It can be: {', '.join(n for n, a in paused.actions.items() if a.allowed)}.")
    assert paused.state == "paused"

    client.jobs.resume(job.id)
    ended = client.jobs.wait(job.id)
    print(f"It ran for {ended.running_seconds:.1f} s and was paused for {ended.paused_seconds:.1f} s.")
    assert ended.state == "succeeded"
