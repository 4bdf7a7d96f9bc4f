"""Amazon SQS as AWS runs it: standard and FIFO queues, at least once, on the virtual clock.

Where a rule comes from stands beside it: `documented` (AWS's own pages: API is the SQS API Reference, DG the SQS
Developer Guide), `reported` (seen on AWS by somebody who wrote it down) or `assumed` (nobody says).
"""

from localaws.sqs.service import SqsService

__all__ = ["SqsService"]
