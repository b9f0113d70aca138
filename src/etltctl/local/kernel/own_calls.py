"""What a command and the server say to each other in the server's own calls, under `/_etltctl/`."""

CHALLENGE = (
    "X-Etltctl-Challenge"  # the header whose answer proves that the server has the state folder's keys
)
HELD = b"held\n"  # the first words of a lease
LAST_CHUNK = b"0\r\n\r\n"  # a server that ends in good order says so before its connections close
