"""One search in several processes, as `torchrun` starts them: the first leads, the others evaluate.

Rank 0 is the search itself: it plans, keeps the run folder, times on devices and talks. It hands networks to the others
one at a time, takes its own share, and archives results in the order of the candidates, so that the archive is that of
one process. The others only score networks with inherited weights.

    meeting    rank 0 listens, the others find it through the launcher's store
    link       JSON lines over one connection
    sharing    what rank 0 does
    crew       the others as rank 0 sees them
    helping    what the others do
    stopping   SIGTERM, by which a launcher ends the others when one is lost, as an exception

Which rank a process is, says `mosegedge.supernet.launch`. Where there is one process, that and `sharing` say so and
nothing else here is imported.
"""
