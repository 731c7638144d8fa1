# For `twistd -ny rateway.tac`: the settings come from the environment, as with `twistd -n rateway`.
from twisted.application.service import Application

from rateway.tap import Options, makeService

options = Options()
options.parseOptions([])
application = Application("rateway")
makeService(options).setServiceParent(application)
