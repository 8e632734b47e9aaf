"""The command: the only floor that knows Hydra. It turns what people type into objects,
and what happens into files and an exit code.
"""

from typing import TYPE_CHECKING

from pinn_ntk._face import face

if TYPE_CHECKING:
    from pinn_ntk.app.build import build, table
    from pinn_ntk.app.cli import Recomposer, main
    from pinn_ntk.app.command_line import read, rewrite
    from pinn_ntk.app.compare_runs import HELP as COMPARE_HELP
    from pinn_ntk.app.compare_runs import main as compare
    from pinn_ntk.app.compose import compose, conf_dir, group_options, loader, resolved, session
    from pinn_ntk.app.evaluate import HELP as EVALUATE_HELP
    from pinn_ntk.app.evaluate import main as evaluate
    from pinn_ntk.app.evaluate import stored_answer
    from pinn_ntk.app.faults import BadInputError, Exit, Fault, shown
    from pinn_ntk.app.guarded import guarded
    from pinn_ntk.app.help import help_text
    from pinn_ntk.app.job import Job
    from pinn_ntk.app.no_code import check_no_code
    from pinn_ntk.app.plugins import load, tracker
    from pinn_ntk.app.run_folder import LOCK, FolderError, default_folder, run_folder
    from pinn_ntk.app.schema import DRAWN, KEYS, SETTINGS, check, flatten, keys_of
    from pinn_ntk.app.signals import Interrupt
    from pinn_ntk.app.study import ConfiguredFactory, build_study
    from pinn_ntk.app.terminal import closing_table, progress

face(__name__)
