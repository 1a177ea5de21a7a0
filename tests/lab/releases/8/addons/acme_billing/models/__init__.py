from . import account_move
from . import settlement
from . import strict
