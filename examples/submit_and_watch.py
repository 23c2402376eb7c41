"""Submit a job, watch it, and look at what it did. Needs a server: `jobdeck up`."""

from jobdeck import Client

with Client() as client:
    job = client.jobs.submit("sleep", {"seconds": 0.2, "steps": 2, "tasks": 3}, tags=["example"])
    for seen in client.jobs.watch(job.id):
        print(f"{seen.state}: {seen.progress.fraction:.0%}")

    for step in client.jobs.steps(job.id):
        print(f"{step.name}: {step.state}, {len(step.tasks)} tasks")

    ended = client.jobs.get(job.id)
    assert ended.state == "succeeded"
    assert ended.progress.fraction == 1.0
