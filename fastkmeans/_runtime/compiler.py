"""The steps in which numba compiles a kernel: those that kernels need, each once.

numba's own compiler serves any function.  Most of what it does is in vain for a kernel:

* It looks for closures, ``with`` blocks, raised errors, objects and literals at every call.
  Kernels have none (see the contract in ``_kernels``).
* It works out the types of a call at each of its places, twice or more, and again when it emits
  code.  ``_CallTypes`` keeps the answers until the kernel is compiled.
* It copies each part of a kernel twice before it puts the copy in its place (``_insert``).
* LLVM optimises each function, then the module a little, then the module in full
  (``_Library``).  The last one does it all.  It leaves loops rolled, too: loops that count have
  vectors, and kernels unroll by hand where it pays.

Results are the same, bit by bit.  A numba later than ``jit.LATEST`` compiles in its own steps.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import binding as llvm
from numba.core import ir, postproc, types
from numba.core.analysis import compute_cfg_from_blocks
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.inline_closurecall import InlineWorker, callee_ir_validator
from numba.core.ir_utils import guard, simplify_CFG
from numba.core.targetconfig import ConfigStack
from numba.core.typed_passes import InlineOverloads, NopythonTypeInference, PreLowerStripPhis
from numba.core.untyped_passes import (
    FixupArgs,
    InlineInlinables,
    IRProcessing,
    ReconstructSSA,
    TranslateByteCode,
)


class _Library(JITCodeLibrary):  # type: ignore[misc]  # numba has no types
    """The machine code of a kernel, optimised once, as a whole."""

    def _optimize_functions(self, ll_module: Any) -> None:
        """Leave a function as it is: ``_optimize_final_module`` does it all."""
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        """Optimise in the order of numba: first what brings loops into a form with vectors."""
        options = llvm.create_pipeline_tuning_options(3)
        options.loop_vectorization, options.slp_vectorization = True, False
        options.loop_unrolling = False
        builder = llvm.create_pass_builder(self._codegen._tm, options)
        first = llvm.create_new_module_pass_manager()
        first.add_sroa_pass()
        first.add_simplify_cfg_pass()
        first.add_instruction_combine_pass()
        first.add_jump_threading_pass()
        first.add_loop_rotate_pass()
        first.add_refprune_pass()  # reference counts that cancel out
        first.run(self._final_module, builder)
        builder.getModulePassManager().run(self._final_module, builder)


class _Part(ir.Block):  # type: ignore[misc]  # numba has no types
    """A block of a part of a kernel.  The part is made for one place, so it needs no copy."""

    def __deepcopy__(self, memo: Any) -> Any:
        return self


def _untyped(state: Any) -> Any:
    """Return the steps from Python's byte code to numba's own code."""
    steps = PassManager("untyped")
    if state.func_ir is None:
        steps.add_pass(TranslateByteCode, "analyzing bytecode")
        steps.add_pass(FixupArgs, "fix up args")
    steps.add_pass(IRProcessing, "processing IR")
    steps.add_pass(_InsertParts, "insert the parts of a kernel")
    if state.flags.enable_ssa:
        steps.add_pass(ReconstructSSA, "ssa")
    steps.finalize()
    return steps


class _Worker(InlineWorker):  # type: ignore[misc]  # numba has no types
    """Puts a part into a kernel."""

    def __init__(self, state: Any) -> None:
        super().__init__(
            state.typingctx, state.targetctx, state.locals, state.pipeline, state.flags,
            validator=callee_ir_validator,
        )  # fmt: skip
        self._compiler_pipeline = _untyped

    def run_untyped_passes(self, func: Any, enable_ssa: bool = False) -> Any:
        part = super().run_untyped_passes(func, enable_ssa)
        for block in part.blocks.values():
            block.__class__ = _Part
        return part

    def inline_ir(self, *arguments: Any, **options: Any) -> Any:
        result = super().inline_ir(*arguments, **options)
        for _, block in result[-1]:
            block.__class__ = ir.Block
        return result


@register_pass(mutates_CFG=True, analysis_only=False)
class _InsertParts(InlineInlinables):  # type: ignore[misc]  # numba has no types
    """Put the parts of a kernel, ``jit.jit_inline``, in the places of their calls."""

    _name = "insert_parts"

    def run_pass(self, state: Any) -> bool:
        worker, places = _Worker(state), list(state.func_ir.blocks.items())
        any_part = False
        while places:
            _, block = places.pop()
            for i, line in enumerate(block.body):
                call = getattr(line, "value", None)
                if not (isinstance(call, ir.Expr) and call.op == "call"):
                    continue
                if guard(self._do_work, state, places, block, i, call, worker):
                    any_part = True
                    break  # what follows is in a new block now
        if any_part:
            blocks = state.func_ir.blocks
            for dead in compute_cfg_from_blocks(blocks).dead_nodes():
                del blocks[dead]
            postproc.PostProcessor(state.func_ir).run()
            state.func_ir.blocks = simplify_CFG(state.func_ir.blocks)
        return True


class _CallTypes:
    """The types of the calls in one kernel: found once, though numba asks again and again.

    They hold for one set of options (``flags``).  A function that numba compiles in between has
    others, so numba's own method answers it.
    """

    def __init__(self) -> None:
        self.flags: Any = None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep them within a ``with`` block, under numba's lock."""
        functions: Any = types.BaseFunction
        resolve: Any = functions.get_call_type
        known: dict[Any, Any] = {}

        def get_call_type(function: Any, context: Any, args: Any, kws: Any) -> Any:
            if kws or ConfigStack.top_or_none() is not self.flags:
                return resolve(function, context, args, kws)
            key = function, tuple(args)
            if key not in known:
                known[key] = resolve(function, context, args, kws)
            return known[key]

        functions.get_call_type = get_call_type
        try:
            yield
        finally:
            functions.get_call_type = resolve


class KernelCompiler(CompilerBase):  # type: ignore[misc]  # numba has no types
    """numba's compiler for kernels: the ``pipeline_class`` of its decorator."""

    def _compile_core(self) -> Any:
        self._calls = _CallTypes()
        with self._calls.kept():
            return super()._compile_core()

    def define_pipelines(self) -> Any:
        """Return the steps, as numba asks for them."""
        self._calls.flags = ConfigStack.top_or_none()
        if self.state.library is None:
            name = self.state.func_id.func_qualname
            self.state.library = _Library(self.state.targetctx.codegen(), name)
            self.state.library.enable_object_caching()
        steps = PassManager("kernel")
        steps.passes.extend(_untyped(self.state).passes)
        steps.add_pass(NopythonTypeInference, "nopython frontend")
        steps.add_pass(PreLowerStripPhis, "remove phis nodes")
        steps.add_pass(InlineOverloads, "inline overloaded functions")
        lowering = DefaultPassBuilder.define_nopython_lowering_pipeline(self.state)
        steps.passes.extend(lowering.passes)
        steps.finalize()
        return [steps]
