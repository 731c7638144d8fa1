"""What ``twistd`` and ``twist`` list: rateway, and the Discord of our own that it is tested against."""

from twisted.application.service import ServiceMaker

rateway = ServiceMaker(
    "rateway", "rateway.tap", "Discord's gateway for your bot: events into AMQP, one shared cache", "rateway"
)

simulator = ServiceMaker(
    "rateway simulator",
    "rateway.simulator.tap",
    "A Discord of your own, to try and test rateway against",
    "rateway-simulator",
)
