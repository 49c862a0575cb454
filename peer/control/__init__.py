"""The local socket by which verbs and faces talk to the running node: JSON lines, one home, one user.

-> {"id": "HEX", "do": "SendText", "with": {"to": "bob", "text": "hello"}}
<- {"id": "HEX", "item": {...}}  any number, then  {"id", "end": true}  or  {"id", "error": {"code", "message", "remedy"}}
   or at once  {"id", "brief": true}  where only a node that stays can do it

Any number of commands may follow each other on one connection without waiting; their answers come as they are
ready, those of one command in order. Whoever leaves ends what they asked for. The id is also that of the work:
what was done under it before is given again.
"""
