"""Refuses every connection of a Python process that has this folder on its path."""

import socket


def _refuse(*_args, **_options):
    raise RuntimeError("the tests never reach a network")


socket.socket.connect = _refuse
socket.socket.connect_ex = _refuse
socket.create_connection = _refuse
socket.getaddrinfo = _refuse
