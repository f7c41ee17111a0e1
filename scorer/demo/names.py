"""Invented names for the demonstration's people and companies."""

from __future__ import annotations

FIRST_NAMES = (
    "Ada", "Amir", "Anouk", "Bela", "Bruno", "Carmen", "Chidi", "Dalia", "Dara", "Edda", "Emil", "Esra",
    "Farah", "Felix", "Gita", "Hana", "Hugo", "Ines", "Ivo", "Jana", "Jonas", "Kaya", "Kofi", "Lena",
    "Leo", "Lucia", "Malik", "Mara", "Milan", "Mona", "Nadia", "Nils", "Nora", "Omar", "Oona", "Paulo",
    "Petra", "Quinn", "Rafa", "Ravi", "Rosa", "Samir", "Selma", "Sofia", "Tariq", "Theo", "Uma", "Vera",
    "Viktor", "Wanda", "Yara", "Yusuf", "Zita",
)  # fmt: skip

LAST_NAMES = (
    "Abara", "Almeida", "Aydin", "Bakker", "Banerjee", "Beaumont", "Castell", "Cole", "Dahl", "Demir",
    "Duarte", "Eklund", "Falk", "Ferrante", "Grieve", "Haddad", "Hale", "Holm", "Ibarra", "Jansen",
    "Kaplan", "Keller", "Kimura", "Kovac", "Larsen", "Lindqvist", "Marsh", "Mensah", "Moreau", "Nair",
    "Novak", "Okafor", "Osei", "Pavlov", "Quiroga", "Rask", "Rhodes", "Sato", "Serra", "Silva", "Stone",
    "Tamm", "Thorne", "Urban", "Varga", "Vidal", "Weiss", "Winter", "Yilmaz", "Zeller",
)  # fmt: skip

COMPANIES = (
    "Alder & Finch", "Amberline Foods", "Bluequarry", "Brackenfield", "Brightmoor", "Calder Mills",
    "Copperlane", "Dovetail Joinery", "Eastgate Tiles", "Fennhollow", "Fernway Travel",
    "Glasswing Labs", "Greystone Pumps", "Halden Looms", "Harrowgate Tea", "Inkfern Press",
    "Juniper Freight", "Kestrel Optics", "Lanternworks", "Lowtide Shipping", "Marlow Clinics",
    "Mossbridge", "Nettlecombe", "Oakhurst Dental", "Pebblebrook", "Quillmark", "Redfern Solar",
    "Saltmarsh Rail", "Tallgrass Farms", "Thistledown", "Umberfield", "Velloway", "Wexmoor Steel",
    "Wrenfield", "Yarrow Homes",
)  # fmt: skip

CITIES = {
    "US": ("New York", "Denver", "Austin", "Portland"),
    "UK": ("London", "Leeds", "Bristol"),
    "DE": ("Hamburg", "Leipzig"),
    "FR": ("Lyon", "Nantes"),
    "NL": ("Utrecht",),
    "PT": ("Porto",),
    "IN": ("Pune",),
    "BR": ("Recife",),
}
"""Countries, and where in them our people live."""
