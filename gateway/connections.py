"""The connections to the plant as the console shows them: what they say, what they deliver."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from connectors.catalogue import SourceConfig
from connectors.contract import Facts
from connectors.modbus.config import ModbusConfig
from connectors.opcua.config import OpcUaConfig
from gateway.config.plan import Plan
from gateway.console.view import SourceRow
from gateway.link import LinkState
from gateway.pipeline import Pipeline
from gateway.rows import MS, gap_row, link_words
from gateway.supervisor import Supervisor
from plant.quality import is_good


def configured(config: SourceConfig) -> Facts:
    """Say how a source is to be connected, as long as it has not said so itself."""
    match config:
        case OpcUaConfig():
            secured = config.security != "none"
            words = f"{config.security}, {config.mode}" if secured else "none"
            return Facts(
                endpoint=config.url, security=words, secured=secured, user=config.user or ""
            )
        case ModbusConfig(transport="rtu"):
            return Facts(endpoint=f"{config.device}", security="serial line", secured=True)
        case ModbusConfig():
            secured = config.transport == "tls"
            words = "TLS" if secured else "none"
            endpoint = f"{config.host}:{config.port}"
            return Facts(endpoint=endpoint, security=words, secured=secured)
    return Facts(endpoint=str(getattr(config, "file", "")), security="a file", secured=True)


class Connections:
    """The sources of a running gateway, each with its link and its share of good values."""

    def __init__(self, plan: Plan, pipeline: Pipeline, supervisor: Supervisor) -> None:
        self._sources = plan.sources
        self._pipeline = pipeline
        self._supervisor = supervisor
        self._handles: Mapping[str, NDArray[np.intp]] = {
            source.name: np.array(
                [h.handle for h in pipeline.handles if h.tag.source == source.name], np.intp
            )
            for source in plan.sources
        }

    def rows(self) -> list[SourceRow]:
        """List every connection, in the order of the configuration."""
        return [self._row(source) for source in self._sources]

    def unsecured(self) -> list[str]:
        """Name the sources that anybody on the way can read and change."""
        return [one.name for one in self._sources if not self._facts(one).secured]

    def _facts(self, config: SourceConfig) -> Facts:
        return self._supervisor.facts(config.name) or configured(config)

    def _row(self, config: SourceConfig) -> SourceRow:
        name = config.name
        link = self._supervisor.links.get(name)
        up = link is not None and link.state is LinkState.UP
        good = is_good(self._pipeline.latest.status[self._handles[name]])
        facts = self._facts(config)
        gap = self._pipeline.gaps.newest(name)
        return {
            "name": name,
            "type": getattr(config, "type", ""),
            "connected": up,
            "state": link_words(link),
            "since": link.since / MS if link and link.since else None,
            "endpoint": facts.endpoint,
            "security": facts.security,
            "secured": facts.secured,
            "user": facts.user,
            "certificate_days": facts.certificate_days,
            "round_trip_ms": facts.round_trip_ms,
            "clock_offset_s": facts.clock_offset_s,
            "notes": list(facts.notes),
            "age_s": link.age_s() if link else None,
            "good_ratio": float(good.mean()) if up and len(good) else 0.0,
            "samples_per_s": self._pipeline.gaps.rate(name) if up else 0.0,
            "losses": link.losses if link else 0,
            "gap": gap_row(gap) if gap else None,
        }
