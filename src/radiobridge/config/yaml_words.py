"""What a YAML parser says, in words that tell an operator what to change."""

import yaml

from radiobridge.text import Text

_ADVICE = (
    (
        "mapping values are not allowed here",
        Text(
            "a `:` where none can be; put each `key: value` on a line of its own, aligned with its "
            "neighbours, and quote text that holds `: `",
            "un `:` mal placé; mettez chaque `clé: valeur` sur sa ligne, alignée sur ses voisines, "
            "et entre guillemets le texte qui contient `: `",
        ),
    ),
    (
        "could not find expected ':'",
        Text(
            "a key without `:`; write `key: value`",
            "une clé sans `:`; écrivez `clé: valeur`",
        ),
    ),
    (
        "expected <block end>",
        Text(
            "the indentation does not fit the lines above; align the keys that belong together",
            "le retrait ne suit pas les lignes précédentes; alignez les clés qui vont ensemble",
        ),
    ),
    (
        "expected ',' or ']'",
        Text(
            "a list `[...]` is not closed; add `]` or a comma",
            "une liste `[...]` n'est pas fermée; ajoutez `]` ou une virgule",
        ),
    ),
    (
        "expected ',' or '}'",
        Text(
            "a mapping `{...}` is not closed; add `}` or a comma",
            "un bloc `{...}` n'est pas fermé; ajoutez `}` ou une virgule",
        ),
    ),
    (
        "found unexpected end of stream",
        Text(
            "a quoted text is not closed; add the closing quote",
            "un texte entre guillemets n'est pas fermé; ajoutez le guillemet fermant",
        ),
    ),
    (
        "found unknown escape character",
        Text(
            "a backslash inside \"...\" means something else; use '...'",
            "une barre oblique inverse a un autre sens dans \"...\"; employez '...'",
        ),
    ),
    (
        "that cannot start any token",
        Text(
            "a value cannot start with this character; put it in quotes",
            "une valeur ne peut pas commencer par ce caractère; mettez-la entre guillemets",
        ),
    ),
)


def explain_yaml(error: yaml.MarkedYAMLError) -> Text:
    """Return what is wrong and what would be right, in both languages."""
    said = f"{error.context or ''} {error.problem or ''}".strip()
    for words, text in _ADVICE:
        if words in said:
            return Text(f"not YAML: {text.en}", f"YAML incorrect: {text.fr}")
    return Text(
        f"not YAML: {said}; compare with the examples in `config/`",
        f"YAML incorrect: {said}; comparez avec les exemples de `config/`",
    )
