from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rateway.http.routes import route_of


class RouteTests(SynchronousTestCase):
    """A request's route, and the resource it is counted for."""

    def test_ids_are_masked_but_the_top_level_one(self) -> None:
        """Two messages of one channel share a route and a resource."""
        one = route_of("GET", "/channels/123/messages/456")
        other = route_of("get", "/channels/123/messages/789?limit=3")
        self.assertEqual(one, other)
        self.assertEqual((one.key, one.major), ("GET /channels/!/messages/*", "123"))

    def test_another_channel_is_another_resource_of_the_same_route(self) -> None:
        """What is learned of a route in one channel is known in the next."""
        one, other = route_of("GET", "/channels/1/messages"), route_of("GET", "/channels/2/messages")
        self.assertEqual(one.key, other.key)
        self.assertNotEqual(one.major, other.major)

    def test_the_method_belongs_to_the_route(self) -> None:
        """Reading and deleting are counted apart."""
        self.assertNotEqual(route_of("GET", "/channels/1/messages/2").key, route_of("DELETE", "/channels/1/messages/2"))

    def test_an_id_further_down_is_no_top_level_resource(self) -> None:
        """/users/@me/guilds/{id} is not counted per guild."""
        route = route_of("DELETE", "/users/@me/guilds/123")
        self.assertEqual((route.key, route.major), ("DELETE /users/@me/guilds/*", ""))

    def test_reactions_are_one_route(self) -> None:
        """The emoji, and what follows it, don't make routes of their own."""
        one = route_of("PUT", "/channels/1/messages/2/reactions/%F0%9F%91%8D/@me")
        self.assertEqual(one, route_of("PUT", "/channels/1/messages/2/reactions/x:3/4"))

    def test_a_webhook_with_its_token_needs_no_authorisation(self) -> None:
        """The token is part of the resource, and never shown."""
        route = route_of("POST", "/webhooks/1/s3cret/messages/5")
        self.assertEqual(route.key, "POST /webhooks/!/!/messages/*")
        self.assertTrue(route.carries_token)
        self.assertNotIn("s3cret", repr(route))
        self.assertFalse(route_of("GET", "/webhooks/1").carries_token)

    def test_interactions_are_not_bound_by_the_global_limit(self) -> None:
        """An answer to an interaction must not wait for the bot's other calls."""
        route = route_of("POST", "/interactions/1/s3cret/callback")
        self.assertTrue(route.unbound and route.carries_token)
        self.assertNotIn("s3cret", route.key)

    def test_codes_are_masked_like_ids(self) -> None:
        """Invitations don't make a route each."""
        self.assertEqual(route_of("GET", "/invites/abc"), route_of("GET", "/invites/xyz"))
        self.assertEqual(route_of("GET", "/guilds/templates/abc").key, "GET /guilds/templates/*")
