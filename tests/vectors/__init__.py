"""Our own vectors: fixed inputs and exact bytes, for our tests and for whoever writes another client.

    handshake.json        links with fixed keys, to the byte, until after a rekey    tests.wire.channel.handshake_vectors
    frames.json           one encoded example of each message                        tests.wire.messages.freeze
    message_numbers.json  every number that was ever given                           tests.wire.messages.freeze
    identity.json         certificates, lists, codes, numbers, proofs                tests.vectors.make
    password.json         from a password to a vault                                 tests.vectors.make
    state.json            the account state, sealed                                  tests.vectors.make
    log.json              events, receipts, vectors, a fork                          tests.vectors.make
    mail.json             prekeys, a letter, the item it is sealed in               tests.vectors.make
    transfer.json         manifests, chunks, pages, roots, signed digests            tests.vectors.make
    link.json             one whole link: preamble, handshake, Hello, talk, Close    tests.vectors.make

In those made by `make`, bytes stand as {"hex": ...}, so that a list of fields has no doubt in it. All keys are
of nobody. `tests/wire/test_vectors.py` holds our implementation against them, `tests/independent/test_vectors.py`
the second client.
"""
