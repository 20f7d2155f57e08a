import pytest


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests speak English unless they say otherwise."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.delenv("RADIOBRIDGE_SOCKET", raising=False)
