"""What was said, as people see it: message by message, page by page, found by its words.

    history      single messages, by their rows or ids
    transcript   the same order on all devices, whole or page by page
    words        what a word is, and when two are the same
    indexing     the full-text index, kept up in batches
    search       the newest that have the words, page by page

Questions to the store; nothing here writes but the index.
"""
