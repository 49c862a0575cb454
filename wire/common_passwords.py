"""Passwords that anybody tries first: refused when a new one is chosen.

Words and runs of keys, each with the endings that people add; what has fewer than eight characters is
refused for its length before this list is asked.
"""

from __future__ import annotations

_WORDS = """
password passwort passw0rd p@ssword p@ssw0rd motdepasse contrasena qwerty qwertz azerty qwertyuiop qwertzuiop
azertyuiop asdfghjkl asdfgh asdf zxcvbnm yxcvbnm 1qaz2wsx 1q2w3e4r 1q2w3e4r5t q1w2e3r4 qazwsx zaq12wsx qweasd
qweasdzxc abc abcd abcdef abcdefg abcdefgh abcdefghi abcd1234 a1b2c3d4 aa123456 letmein welcome willkommen
bienvenue dragon monkey shadow master superman batman spiderman football fussball baseball basketball soccer
hockey sunshine princess iloveyou ichliebedich starwars whatever trustno computer internet michael jennifer
jessica jordan charlie andrew thomas daniel matthew anthony joshua william robert ashley amanda nicole samantha
hannah maggie pepper ginger summer winter autumn spring flower cookie cheese chocolate banana orange purple
yellow silver golden diamond crystal freedom liberty america england london berlin hamburg munich paris madrid
moscow chicago boston dallas texas florida california mustang porsche ferrari mercedes corvette harley yamaha
killer hunter ranger tigger buster bailey rocket phoenix eagles steelers cowboys yankees lakers arsenal chelsea
liverpool barcelona juventus minecraft pokemon naruto pikachu zelda mario sonic matrix gandalf merlin wizard
warrior samurai ninja pirate vampire zombie spider cobra falcon hawaii secret geheim changeme default admin
administrator server access login guest system hobnob tracker test testing tester example samsung google
facebook twitter youtube amazon microsoft windows android iphone apple linux ubuntu debian hacker security
private family mother father brother sister darling sweetheart honey angel heaven jesus christ lucifer blessed
forever friends lovely beautiful chicken turtle dolphin elephant penguin butterfly kitten puppy doggie snoopy
garfield mickey donald simpsons metallica nirvana slipknot eminem madonna elvis beatles guitar piano music
dancer runner player gamer student teacher doctor police soldier marine captain general president monday tuesday
friday saturday sunday january february march april august september october november december schatz hallo
hello hallo123 hello123 correcthorsebatterystaple
""".split()

_ENDINGS = """
1 2 7 12 21 22 23 69 77 88 99 00 01 007 123 321 1234 4321 12345 54321 123456 1234567 12345678 123456789 ! 1! 12!
123! 1234! !! ? . # 2000 2010 2018 2019 2020 2021 2022 2023 2024 2025 2026 2027 abc
""".split()

_DIGITS = """
12345678 123456789 1234567890 0123456789 87654321 987654321 9876543210 12341234 11223344 123123123 1231231234
11112222 12121212 13131313 31415926 314159265 27182818 19283746 14725836 147258369 159753456 741852963 102030405
10203040 112233445566 123321123 00001111 55555555 66666666 88888888
""".split()

COMMON_PASSWORDS = frozenset(
    {*_DIGITS, *_WORDS, *(word + ending for word in _WORDS for ending in _ENDINGS)}
)
"""Lower-case passwords that `wire.vault` refuses."""
