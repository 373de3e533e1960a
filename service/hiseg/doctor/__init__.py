"""``hiseg doctor``: looks for what would keep the service from serving, and says in plain words what to mend."""
