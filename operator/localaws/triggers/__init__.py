"""What Scheduler and EventBridge rules have in common: cron, ECS targets, trust in roles, delivery at least once."""
