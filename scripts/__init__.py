"""What the commands of this checkout are made of. The standard library only: they run before anything is installed.

``find-python``      names a Python that serves, and installs Debian's where there is none (bash: there may be none yet)
``rabbitmq``         runs a private RabbitMQ node (``rabbitmq_node``), with few plugins (``rabbitmq_home``)
``apt``              installs Debian packages without starting their services
``environment``      makes and refreshes ``.venv``
``children``         starts child processes so that none of them outlives us
``ports``            finds free ports
``checks``           what ``./run-tests`` does once there is a Python
``trial_report``     reads what trial printed
``showcase``         what ``./demo`` does once there is a Python
"""
