"""The local socket by which a verb talks to the running node: JSON lines, one home, one user.

-> {"id": "HEX", "do": "SendText", "with": {"to": "bob", "text": "hello"}}
<- {"item": {...}}  any number, then  {"end": true}  or  {"error": {"code", "message", "remedy"}}
"""
