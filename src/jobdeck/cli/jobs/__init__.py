"""`jobdeck jobs …`, also as `jobdeck job …`."""

from __future__ import annotations

from jobdeck.cli.arguments.options import noun

COMMANDS = {"jobs": ("Work with jobs", "List, show, watch and operate jobs.")}
EXAMPLES = """
jobdeck jobs list --state failed,paused --since 1d
jobdeck job show 12
jobdeck job watch 12
jobdeck jobs list --type import --sort -created_at --limit 10
jobdeck jobs list --state failed -o ids | jobdeck job resume -
jobdeck jobs counts
jobdeck jobs counts --type import --since 7d
jobdeck job show 12 -o json
jobdeck job watch 12 13 14
jobdeck job logs 12 -f
jobdeck job logs 12 --level error --step load
jobdeck job logs 12 --download job-12.log
jobdeck job steps 12
jobdeck job steps 12 --attempt 1
jobdeck job tasks 12 load
jobdeck job tasks 12 1 --state failed --slowest
jobdeck job timeline 12
jobdeck job claims 12
jobdeck job diff 12
jobdeck job diff 12 --with 9
jobdeck job attempts 12
jobdeck job events 12
jobdeck job lineage 12
jobdeck job rejects 12 --rows 20
jobdeck job rejects 12 --download rejects
jobdeck job cancel 12 --reason 'wrong file'
jobdeck jobs cancel --state pending --type sleep
jobdeck job pause 12 --reason lunch
jobdeck job pause 12 --resume-at 2026-11-20T08:00
jobdeck jobs pause --state running --project shop
jobdeck job resume 12
jobdeck jobs resume --state failed --since 1d --yes
jobdeck job restart 12
jobdeck jobs restart --error source_changed
jobdeck job run-again 12 --wait
jobdeck job run-again 12 -p seconds=5 --without tasks
jobdeck job priority 12 --to 9
jobdeck jobs priority --type import --to 2
jobdeck job delete 12
jobdeck jobs delete --state canceled --until 7d
"""

app = noun(COMMANDS)

_VIEWS = "jobdeck.cli.jobs.views"
_VERBS = "jobdeck.cli.jobs.verbs"
_DETAILS = "jobdeck.cli.jobs.details"

for _name, _function, _help in (
    ("list", f"{_VIEWS}:list_", "List jobs, newest first."),
    ("counts", f"{_VIEWS}:counts", "Count jobs by state."),
    ("show", f"{_VIEWS}:show", "Show jobs: state, progress, why they wait or failed."),
    ("watch", f"{_VERBS}:watch", "Show the progress of jobs until they have ended."),
    ("logs", f"{_VIEWS}:logs", "Print the log of jobs; -f goes on until they have ended."),
    ("steps", f"{_VIEWS}:steps", "Show the steps of jobs, with their progress."),
    ("tasks", f"{_DETAILS}:tasks", "Show the tasks of a step."),
    ("timeline", f"{_DETAILS}:timeline", "Show what a job did when."),
    ("claims", f"{_DETAILS}:claims", "Show what a job holds or wants, and which jobs are in its way."),
    ("diff", f"{_DETAILS}:diff", "Compare the parameters of two jobs."),
    ("attempts", f"{_VIEWS}:attempts", "Show the attempts of jobs."),
    ("events", f"{_VIEWS}:events", "Show what happened to jobs."),
    ("lineage", f"{_VIEWS}:lineage", "Show what jobs read and wrote."),
    ("rejects", "jobdeck.cli.jobs.rejects:rejects", "Show the rows that a job did not take, and why."),
    ("cancel", f"{_VERBS}:cancel", "End jobs for good and remove what they half made."),
    ("pause", f"{_VERBS}:pause", "Stop jobs at their next checkpoint."),
    ("resume", f"{_VERBS}:resume", "Let paused or failed jobs go on from where they stopped."),
    ("restart", f"{_VERBS}:restart", "Run jobs again from their first step, as a new attempt."),
    ("run-again", f"{_VERBS}:run_again", "Submit a new job with the parameters of an old one, or edited ones."),
    ("priority", f"{_VERBS}:priority", "Change the priority of jobs that wait."),
    ("delete", f"{_VERBS}:delete", "Remove ended jobs and everything recorded about them."),
):
    app.command(_function, name=_name, help=_help)
