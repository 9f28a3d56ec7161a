"""The words in which a text model is asked for personas: labelled lines, then what may be named."""

from collections.abc import Mapping, Sequence

from .brief import Brief

LANGUAGES = {"en": "English", "fr": "French", "es": "Spanish", "de": "German", "pt": "Portuguese", "it": "Italian"}
TASK = (
    "Write marketing personas for the brief below: people who could exist, each different from the others.\n"
    "Answer with a JSON array of exactly the personas asked for, in the form of the schema, in the language named.\n"
    "Ages lie within the range given. The interests and values listed, if any, are theirs, in the words of the lists."
)
FREE = "Name music, brands, restaurants, films and books that fit each persona."
BOUND = (
    "Name only music, brands, restaurants, films and books of these lists: people like these love them, the first most."
)


def prompt(brief: Brief, numbers: range, culture: Mapping[str, Sequence[str]] | None, place: str | None) -> str:
    """Ask for some personas of a brief, by number; with culture, for nothing else to be named."""
    told = {
        "Brief": brief.brief,
        "Language": f"{brief.language} ({LANGUAGES.get(brief.language[:2], 'as the code says')})",
        "Age": f"{brief.age_range.min} to {brief.age_range.max}" if brief.age_range else "",
        "Location": place or "",
        "Interests": "; ".join(brief.interests),
        "Values": "; ".join(brief.values),
        "Personas": f"{numbers[0]} to {numbers[-1]} of {brief.persona_count}",
    }
    lines = [f"{label}: {text}" for label, text in told.items() if text]
    if culture is None:
        return "\n".join([TASK, *lines, FREE])
    return "\n".join([TASK, *lines, BOUND, *(f"- {kind}: {'; '.join(names)}" for kind, names in culture.items())])
