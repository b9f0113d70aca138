"""The parts that tests share: servers, lakes, workplaces, answers, and programs that run next to them."""
