"""Fuzzing: every decoder and every machine as a target, fed by `scripts/fuzz` and replayed by the tests.

    target      what a target is: a function of bytes that raises for a finding and for nothing else
    mutation    how inputs are changed: as bytes, MessagePack, JSON, or a script of steps
    seeds       valid inputs from the strategies of the tests
    wired linked signed logged offered moved swarmed lent stored kept imported written served knocked routed
                the targets, by what they are about
    catalogue   all of them by name
    corpus      text files of inputs, replayed by `test_corpus`
    engines     atheris where it is installed, else Hypothesis
    __main__    the command

What a target promises is what house rules ask of the receive path: nothing the other side does raises
anything but the two declared errors, what is kept stays under its bound, deadlines are honest.

Measured 2026-11-21 (atheris, two busy cores): 22.4 million executions over 49 targets. The first million gave two
findings, both mended; the 21.3 million after them none. Later that day, with the messages, machines and parsers added
since: 11.2 million over 36 targets. Five findings, all mended: a database whose schema is no text, numbers of an export
without bound, chunks under another fetch's name, a setting with two spellings, and one in a target itself.
"""
