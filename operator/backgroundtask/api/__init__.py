"""What users write and read: the kinds of `bgtask.dev` as models, and the CRDs generated from them.

Objects enter through `parsing`; everything above this package works on the models and never sees a dict. The package
knows no cloud, no cluster and no clock, and it judges only what can be judged by looking at one object: whether a cron
expression can be translated, a template exists or a role may be used is decided above.
"""
