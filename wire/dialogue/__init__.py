"""Requests and answers on a tracker link: every request gets exactly one answer."""
