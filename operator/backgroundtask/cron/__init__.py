from backgroundtask.cron.dialects import parse
from backgroundtask.cron.expression import Expression, Kind
from backgroundtask.cron.times import next_times, times_between
from backgroundtask.cron.translate import to_aws
from backgroundtask.cron.zones import time_zone

__all__ = ["Expression", "Kind", "next_times", "parse", "time_zone", "times_between", "to_aws"]
