"""The columns that suites may name, with what each holds. A null is never judged."""

from pipelines.quality.records import Grain

DOCUMENTS = {
    "uri": "of the document",
    "source": "its source's name",
    "domain": "its domain today",
    "title": "from its front matter or first heading, or null",
    "owner": "from its front matter, or null",
    "effective": "ISO date from its front matter, or null",
    "valid_until": "ISO date from its front matter, or null",
    "characters": "of its text, without front matter",
    "visible_characters": "those that take room on a page",
    "words": "runs of letters or digits",
    "longest_line": "in characters",
    "replacement_share": "U+FFFD per character",
    "mojibake_share": "characters of wrongly decoded sequences, per character; 0 below 3 of them",
    "control_characters": "C0 and C1 controls but tab, newline and form feed",
    "bidi_controls": "bidirectional overrides, and embeddings or isolates that are not closed",
    "boilerplate": "login page, error page or placeholder text where it is nothing else, or null",
    "language": "ISO 639-1 code, or null where there is too little prose to tell",
    "language_allowed": "whether [audit] or its domain allows it, or null",
    "missing_metadata": "front matter that its domain requires and it lacks, or null",
    "days_ahead": "from today to its effective date, negative when past, or null",
    "secrets": "rules that found keys, tokens or private keys, or null",
    "personal_data": "kinds found: card, iban, national-id, email, phone, name; or null",
    "length_ratio": "its characters by those of its published version, or null",
    "duplicate_of": "another document of the same bytes, or null",
}

CHUNKS = {
    "chunk": "uri#position",
    "uri": "of its document",
    "source": "its source's name",
    "document_known": "whether its document is one of those that are to be there",
    "tokens": "of the embedded text",
    "tokens_over": "tokens beyond the embedder's limit, negative below it",
    "characters": "of the passage",
    "text_hash_matches": "whether its text hash is that of its embedded text",
    "dimension_off": "values of its vector beyond the embedder's dimension, negative below it",
    "vector_finite": "whether every value is a finite number",
    "vector_norm": "Euclidean length, or null where it is not finite",
    "vector_spread": "standard deviation of its values, or null where it is not finite",
    "same_vector_share": "share of other texts with the very same vector, in its document or batch"
    " whichever is greater, or null where there are too few to compare",
    "near_duplicate": "whether another passage of the table is all but the same, by cosine",
}

PUBLICATION = {
    "source": "its name",
    "documents_before": "published documents, 0 where there were none",
    "documents": "of the candidate",
    "chunks_before": "published passages",
    "chunks": "of the candidate",
    "documents_without_chunks": "that ought to be there and are not",
    "documents_unplanned": "that are there and ought not to be",
    "documents_lost_share": "published ones that went, or null where they are few",
    "chunks_ratio": "passages of documents in both, by those before, or null where they are few",
    "quarantined_share": "documents whose newest version failed in this run, of those it looked"
    " into, or null where they are few",
    "unexplained_shift": "cosine distance of vectors whose text stayed, the largest, or null",
    "centroid_shift": "cosine distance of the source's mean vectors before and after, or null where"
    " there are few",
    "canaries": "golden questions that count",
    "canary_recall_before": "share of them that find their document among 10 passages, or null",
    "canary_recall": "the same of the candidate, or null",
    "canary_recall_drop": "before minus after, or null where fewer than 30 count",
    "canary_recall_drop_few": "the same where fewer than 30 count, else null",
}

COLUMNS = {Grain.DOCUMENTS: DOCUMENTS, Grain.CHUNKS: CHUNKS, Grain.PUBLICATION: PUBLICATION}
KEYS = {Grain.DOCUMENTS: "uri", Grain.CHUNKS: "chunk", Grain.PUBLICATION: "source"}
