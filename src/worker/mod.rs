//! Workers: durable named colleagues, their turns, the scheduler.
