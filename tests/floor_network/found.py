"""Histories that broke a rule once, as small as they could be made, by what was wrong."""

from radiobridge.model.patch import Access
from radiobridge.model.voice import TalkClass
from tests.floor_network.history import Agency, Alarm, History, Network, Partition, Site, Talk

CLOSED = 0.06
"""A squelch that closes early, in s."""
ONE = Agency(sites=(Site(hang_s=CLOSED),))
CALM = Network(calm_s=0.0, delay_s=0.0, in_order=False)

FOUND = {
    # Two receivers of one talker lost the floor to another agency; when that one ended, each took
    # the other's spurt for live, and the floor was nobody's for 300 ms.
    "who was cut off is waited for": History(
        agencies=(
            Agency(
                sites=(
                    Site(cor_delay_s=0.08, hang_s=CLOSED),
                    Site(cor_delay_s=0.08, hang_s=CLOSED),
                )
            ),
            Agency(sites=(Site(cor_delay_s=0.12, hang_s=CLOSED),)),
        ),
        talks=(
            Talk(at_s=0.065, length_s=0.14, agency=1),
            Talk(at_s=0.105, length_s=0.36),
        ),
        network=CALM,
    ),
    # A frame that came in the transmitter's tail after a break of 0.9 s was forgotten with it.
    "who comes back in the tail is lost": History(
        agencies=(ONE, Agency(sites=(Site(hang_s=CLOSED, grant_s=0.1),))),
        talks=(Talk(at_s=0.0, length_s=0.05), Talk(at_s=0.26, length_s=1.02)),
        network=CALM,
        partitions=(Partition(at_s=0.28, length_s=0.8, apart=frozenset({0})),),
    ),
    # A hole in a spurt counted as its end while another one waited, whatever came after the hole.
    "what comes after a hole is lost": History(
        agencies=(
            Agency(sites=(Site(hang_s=CLOSED), Site(cor_delay_s=0.12, hang_s=CLOSED))),
            ONE,
        ),
        talks=(Talk(at_s=0.0, length_s=0.2),),
        network=Network(calm_s=1.0, delay_s=0.0, jitter_s=0.2, in_order=False, seed=219),
    ),
    "who is refused and who has had his time": History(
        agencies=(
            Agency(
                sites=(Site(hang_s=CLOSED), Site(hang_s=CLOSED)),
                max_class=TalkClass.EMERGENCY,
                separate=True,
            ),
            Agency(sites=(Site(hang_s=CLOSED), Site(hang_s=CLOSED))),
        ),
        talks=(
            Talk(at_s=0.0, length_s=0.05),
            Talk(at_s=0.245, length_s=1.38, site=1),
            Talk(at_s=1.09, length_s=0.17),
        ),
        network=Network(calm_s=0.0, delay_s=0.0, jitter_s=0.02, in_order=False, seed=1),
        alarms=(Alarm(at_s=0.0, agency=0),),
        limit_s=0.7,
    ),
    "a heal while both talk on": History(
        agencies=(
            ONE,
            Agency(sites=(Site(priority=1, tail_s=0.15, hang_s=CLOSED),), max_priority=1),
            Agency(sites=(Site(hang_s=CLOSED),), access=Access.TALK),
        ),
        talks=(
            Talk(at_s=0.0, length_s=0.05),
            Talk(at_s=0.0, length_s=1.79, agency=1),
            Talk(at_s=0.035, length_s=1.9, agency=2),
        ),
        network=Network(calm_s=0.0, delay_s=0.0, jitter_s=0.02, in_order=False),
        partitions=(
            Partition(at_s=0.0, length_s=0.1, apart=frozenset({0})),
            Partition(at_s=0.35, length_s=1.2, apart=frozenset({0})),
        ),
    ),
    "an end alone after who had talked as long as he may": History(
        agencies=(Agency(sites=(Site(hang_s=CLOSED),)), Agency(sites=(Site(hang_s=CLOSED),))),
        talks=(
            Talk(at_s=0.495, length_s=1.24),
            Talk(at_s=0.8, length_s=0.28, agency=1),
        ),
        network=Network(calm_s=0.0, brokers=1, delay_s=0.05, jitter_s=0.0),
        partitions=(Partition(at_s=0.0, length_s=1.025, apart=frozenset({0})),),
        limit_s=0.7,
    ),
    "a talk that begins at the very end of a spurt that another began": History(
        agencies=(
            Agency(sites=(Site(hang_s=CLOSED),)),
            Agency(
                sites=(Site(tail_s=0.045, hang_s=0.185), Site(cor_delay_s=0.02, hang_s=CLOSED)),
                separate=False,
            ),
        ),
        talks=(
            Talk(at_s=0.0, length_s=0.05),
            Talk(at_s=0.0, length_s=0.05),
            Talk(at_s=1.41, length_s=0.455, agency=1),
            Talk(at_s=2.12, length_s=0.7, agency=1),
        ),
        network=Network(calm_s=0.0, brokers=1, delay_s=0.0, jitter_s=0.0),
        limit_s=0.7,
    ),
}
