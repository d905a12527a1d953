"""A node."""

from task import LOCAL, network, own

from fairfl.flower import client_app

app = client_app(network, own, LOCAL)
