"""What must fit together within and among the brokers."""

from urllib.parse import urlsplit

from radiobridge.config.gateway import BrokerConfig, GatewayConfig
from radiobridge.config.problems import Loc
from radiobridge.config.tree import Node
from radiobridge.config.validate import Report


def check_brokers(config: GatewayConfig, tree: Node, report: Report) -> None:
    """Note brokers whose settings contradict each other."""
    names: dict[str, int] = {}
    urls: dict[str, int] = {}
    for index, broker in enumerate(config.brokers):
        loc: Loc = ("brokers", index)
        _check_tls(broker, loc, tree, report)
        if broker.name is not None:
            _once(names, broker.name.casefold(), index, (*loc, "name"), tree, report)
        _once(urls, broker.url.lower(), index, (*loc, "url"), tree, report)


def _check_tls(broker: BrokerConfig, loc: Loc, tree: Node, report: Report) -> None:
    if broker.tls is None:
        return
    if urlsplit(broker.url).scheme == "mqtt":
        report.wrong(
            tree,
            (*loc, "tls"),
            "`mqtt://` does not use TLS; write `mqtts://` in `url`, or remove `tls`",
            "`mqtt://` n'emploie pas TLS; écrivez `mqtts://` dans `url`, ou retirez `tls`",
        )
    if (broker.tls.certificate is None) != (broker.tls.key is None):
        there, absent = ("key", "certificate") if broker.tls.key else ("certificate", "key")
        report.wrong(
            tree,
            (*loc, "tls"),
            f"`{there}` without `{absent}`; give both, or neither",
            f"`{there}` sans `{absent}`; donnez les deux, ou aucun",
        )


def _once(
    seen: dict[str, int], value: str, index: int, loc: Loc, tree: Node, report: Report
) -> None:
    first = seen.setdefault(value, index)
    if first != index:
        line = tree.place_of(("brokers", first)).line
        report.wrong(
            tree,
            loc,
            f"`{value}` is already the broker on line {line}; write another, or remove it",
            f"`{value}` est déjà le serveur de la ligne {line}; écrivez-en un autre, ou retirez-le",
        )
