"""A peer without its network: services over memory, machines over a simulated one."""
