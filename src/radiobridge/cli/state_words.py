"""The states that the API names, in the operator's words."""

from radiobridge.text import Text

STATES = {
    "up": Text("up", "en service"),
    "down": Text("down", "coupé"),
    "lost": Text("lost", "perdu"),
    "online": Text("online", "en ligne"),
    "offline": Text("offline", "hors ligne"),
    "in-force": Text("in force", "en vigueur"),
    "not-in-force": Text("not in force", "pas en vigueur"),
    "idle": Text("idle", "au repos"),
    "receiving": Text("receiving", "reçoit"),
    "waiting-clear": Text("waits for a clear channel", "attend un canal libre"),
    "requested": Text("requested", "demandé"),
    "queued": Text("queued", "en file"),
    "lead-in": Text("keying up", "monte en émission"),
    "voice": Text("transmitting", "émet"),
    "hold": Text("holding", "maintient"),
    "tail": Text("tail", "fin d'émission"),
    "cool-down": Text("cooling down", "repos imposé"),
    "inhibited": Text("inhibited", "interdite"),
    "stuck": Text("COR stuck", "COR bloqué"),
    "listen": Text("listens", "écoute"),
    "talk": Text("talks", "parle"),
    "both": Text("both", "les deux"),
    "normal": Text("", ""),
    "imminent_peril": Text("IMMINENT PERIL", "PÉRIL IMMINENT"),
    "emergency": Text("EMERGENCY", "URGENCE"),
}
