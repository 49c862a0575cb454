"""The channel: an authenticated, encrypted pipe with forward secrecy and a hybrid post-quantum key.

What it is. `Noise_XKpsk3_25519_AESGCM_SHA256` of the Noise Protocol Framework, revision 34
(noiseprotocol.org/noise.html), where the pre-shared key is not shared before at all: it comes out
of an ML-KEM-768 encapsulation (FIPS 203) that rides in the first two payloads. Whoever records a
link today must later break X25519 *and* ML-KEM to read it. Who called is hidden by X25519 alone.

    primitives   what the library computes: DH, KEM, hash, HKDF, AEAD; errors are translated there,
    once symmetric    CipherState and SymmetricState of the Noise text, over a `Suite` of functions
    handshake    an interpreter of token tables; the product holds one table, XKpsk3 hybrid
    the handshake of our links: three messages, and where the psk comes from records      what flows
    afterwards: sealed records, counters, rekeying

    initiator                                                       responder
    1  e, es        payload: ML-KEM-768 encapsulation key  ->
                                                           <-  2  e, ee   payload: ML-KEM ciphertext
    3  s, se, psk   payload: nothing                        ->

The rules of the room:

- Nothing here knows a socket, a clock or a frame: message bytes in, message bytes out. Lengths
  before messages are the business of `wire.frames`; only a record writes its own (`records`), so
  that the bulk path can seal into one buffer and send it as it is.
- All randomness comes through `Entropy`, in a fixed order (`hybrid`), so that a test replays exact
  bytes.
- Blame is a type: what the other side sent raises RemoteProtocolError with HANDSHAKE_FAILED or
  LINK_CORRUPT, misuse raises LocalProtocolError, and after the first failure a handshake or an
  opener is dead for good.
- The library lacking ML-KEM is no reason to do without: `primitives.require_ml_kem` refuses.

Other suites and patterns stand in the tests, which hold the published vectors against the same
interpreter.
"""
