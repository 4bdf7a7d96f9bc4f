"""EventBridge Scheduler as AWS runs it: groups, schedules, and schedules that fire.

Where a rule comes from stands beside it: `documented` (AWS's own pages: UG is the EventBridge Scheduler User Guide, API
its API Reference), `reported` (seen on AWS by somebody who wrote it down) or `assumed` (nobody says; a guess that would
rather refuse here what AWS takes than take here what AWS refuses).
"""

from localaws.scheduler.service import SchedulerService

__all__ = ["SchedulerService"]
